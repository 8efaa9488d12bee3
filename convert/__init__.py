"""The cloud side: makes, trains, shrinks and measures models for the device. The device never imports it."""
