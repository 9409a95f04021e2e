"""What the four diagnostics on sentences share: options, parameters, plan, sentences, loading, lines of figures."""
