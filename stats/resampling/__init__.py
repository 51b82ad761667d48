"""Fold designs and resampling plans: which cases are held out, and which are drawn together."""
