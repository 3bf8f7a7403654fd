"""Files in the YouTube-VIS formats: reading, checking and writing, free of models and hosts."""
