"""The page and the read API: what `takings serve` shows. Only `serve` imports this, for its packages are an extra."""
