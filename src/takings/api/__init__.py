"""What Python programs use: `import takings` offers these names, and those of `beginning`. The command line uses them too."""

from takings.api.kpis import Kpis
from takings.api.runs import Run
from takings.api.shop import Shop, open_shop
from takings.api.validating import FileFindings, validate

__all__ = ["FileFindings", "Kpis", "Run", "Shop", "open_shop", "validate"]
