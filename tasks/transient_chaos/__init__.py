"""Transient chaos in BERT (Inoue et al., 2022): README.md says what was published and what is corrected here."""
