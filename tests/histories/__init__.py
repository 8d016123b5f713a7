"""Whole histories of a shop, made from numbers: files in any order, split in any way, corrected, damaged and interrupted."""
