"""Videos: their frames one after the other with exact time stamps, and frames out as videos. Needs PyAV (`av`)."""
