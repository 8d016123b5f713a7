"""Whole histories of a shop, made by numbers: files in any order, split in any way, corrected, spoilt and interrupted."""
