"""Is BERT a cross-disciplinary knowledge learner? (Kao & Lee, 2021): README.md says what was published."""
