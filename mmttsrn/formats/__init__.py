"""Files in the YouTube-VIS formats: reading and checking, free of models and of the host."""
