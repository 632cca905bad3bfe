"""What users look at: status, pictures of samples and stores, errors of flow."""
