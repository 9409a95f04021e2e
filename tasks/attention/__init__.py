"""How attention learns which words matter, and copying: README.md says what was published and what is corrected."""
