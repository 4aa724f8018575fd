"""Synthesis, place and route of the designs in hdl/, as one resumable workflow."""
