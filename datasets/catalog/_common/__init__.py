"""What members of the catalog share, whatever their layout."""
