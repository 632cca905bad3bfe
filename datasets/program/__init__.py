"""What every program of ours needs: its command line, progress, and an orderly stop."""
