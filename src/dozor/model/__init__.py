"""Frozen records that cross from one package to another. All else stays with its behaviour."""
