"""Many parts into one programme, sound and picture, to the sample and the frame."""
