"""What the datasets in KITTI's layouts share."""
