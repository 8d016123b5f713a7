"""The page and the read API that `takings serve` shows. Only `serve` imports this, because its packages are an extra."""
