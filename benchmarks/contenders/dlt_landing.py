"""dlt lands the files in DuckDB: its filesystem source, read with DuckDB, and one row for each primary key (merge)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_KEYS = {"products": "id", "orders": "order_id", "order-items": "id"}


def main(folder: Path, answer: Path) -> None:
    """Land the three datasets."""
    # Nothing is sent anywhere, and nothing is kept outside the answer's folder.
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DLT_DATA_DIR": str(answer / "dlt"),
        "DLT_PROJECT_DIR": str(answer),
    }
    import dlt
    from dlt.sources.filesystem import filesystem, read_csv_duckdb

    pipeline = dlt.pipeline(
        pipeline_name="shop",
        pipelines_dir=str(answer / "pipelines"),
        destination=dlt.destinations.duckdb(str(answer / "shop.duckdb")),
        dataset_name="landed",
    )
    resources = []
    for prefix, key in _KEYS.items():
        files = filesystem(bucket_url=(folder / prefix).absolute().as_uri(), file_glob="*.csv")
        money = {"products": ["cost", "retail_price"], "order-items": ["sale_price"]}.get(prefix, [])
        reader = read_csv_duckdb(chunk_size=100_000, use_pyarrow=True, dtype=dict.fromkeys(money, "DECIMAL(28,16)"))
        resource = (files | reader).with_name(prefix.replace("-", "_"))
        resource.apply_hints(write_disposition="merge", primary_key=key)
        resources.append(resource)
    pipeline.run(resources)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
