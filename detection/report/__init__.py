"""Reports of detection runs: MyST pages and figures, built into HTML by Sphinx."""
