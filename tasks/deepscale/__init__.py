"""Transformers get stable (Kedia et al., 2024): README.md says what was published and what is corrected here."""
