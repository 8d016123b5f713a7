"""Describe a batch as OpenLineage events: files as inputs, with rules as assertions; lake tables and KPIs as outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    data_quality_assertions_dataset,
    dataset_version_dataset,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    output_statistics_output_dataset,
    processing_engine_run,
    schema_dataset,
)

from takings import layout
from takings.contracts.datasets import Dataset
from takings.contracts.model import Contracts
from takings.documents import MANIFEST, OUTCOME, need_document
from takings.kpis import KpiTable
from takings.layout import BatchId
from takings.ports import ObjectStore

_COLUMN_TYPES: Final = {
    "identifier": "BIGINT",
    "integer": "BIGINT",
    "money": "DECIMAL(28,16)",
    "timestamp": "TIMESTAMP",
    "text": "VARCHAR",
}
_KEY_TYPES: Final = {"order_date": "DATE"}


@dataclass(frozen=True, kw_only=True)
class Described:
    """What the events of a store's batches are made of."""

    store: ObjectStore
    contracts: Contracts
    kpi_tables: tuple[KpiTable, ...]
    #: of the datasets: `file`, or the bucket as s3://bucket
    namespace: str
    #: stands before each key in a dataset's name: the folder, or nothing for a bucket
    prefix: str
    package_version: str

    def started(self, batch_id: BatchId) -> RunEvent:
        """Return the event of a batch that was formed: the files that it will read."""
        manifest = need_document(self.store, layout.manifest(batch_id), MANIFEST)
        inputs = [self._input(file["key"], file["dataset"], {"size": file["size"]}) for file in manifest["files"]]
        return self._event(batch_id, RunState.START, manifest["now"], inputs=inputs)

    def done(self, batch_id: BatchId) -> RunEvent:
        """Return the event of a batch that has ended: what was read, what broke which rule, what was written."""
        outcome = need_document(self.store, layout.outcome(batch_id), OUTCOME)
        inputs = [self._judged(file) for file in outcome["files"]]
        outputs = [] if outcome["commit"] is None else [*self._tables(outcome), *self._kpis(outcome)]
        return self._event(batch_id, RunState.COMPLETE, outcome["finished_at"], inputs=inputs, outputs=outputs)

    def stopped(self, batch_id: BatchId, state: RunState, at: str, reason: str) -> RunEvent:
        """Return the event of a batch that was given up or blocked, with the reason."""
        told = error_message_run.ErrorMessageRunFacet(
            message=reason, programmingLanguage="Python", producer=self._producer
        )
        return self._event(batch_id, state, at, run_facets={"errorMessage": told})

    @property
    def _producer(self) -> str:
        return f"urn:takings:{self.package_version}"

    def _event(
        self,
        batch_id: BatchId,
        state: RunState,
        at: str,
        *,
        inputs: Iterable[InputDataset] = (),
        outputs: Iterable[OutputDataset] = (),
        run_facets: Mapping[str, Any] | None = None,
    ) -> RunEvent:
        """Return an event; a batch's run has the same id whoever tells of it, and however often."""
        store = f"{self.namespace}:{self.prefix}"
        engine = processing_engine_run.ProcessingEngineRunFacet(
            version=self.package_version, name="Takings", producer=self._producer
        )
        kind = job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="TAKINGS", jobType="BATCH", producer=self._producer
        )
        return RunEvent(
            eventTime=at,
            eventType=state,
            run=Run(
                runId=str(uuid5(NAMESPACE_URL, f"{store}#{batch_id}")),
                facets={"processing_engine": engine, **(run_facets or {})},
            ),
            job=Job(namespace="takings", name=self.prefix.rstrip("/") or self.namespace, facets={"jobType": kind}),
            inputs=list(inputs),
            outputs=list(outputs),
            producer=self._producer,
        )

    def _input(self, key: str, kind: str, statistics: Mapping[str, int], **facets: Any) -> InputDataset:  # noqa: ANN401
        read = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(**statistics, producer=self._producer)
        return InputDataset(
            namespace=self.namespace,
            name=f"{self.prefix}{key}",
            facets={"schema": self._schema(Dataset(kind))} if kind in list(Dataset) else {},
            inputFacets={"inputStatistics": read, **facets},
        )

    def _judged(self, file: Mapping[str, Any]) -> InputDataset:
        """Return a file that was validated; a duplicate was not read, so no rule was tried on it."""
        statistics = {"rowCount": file["records"]["read"], "size": file["size"]}
        if file["verdict"] == "duplicate":
            return self._input(file["key"], file["dataset"], statistics)
        tried = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions=list(self._assertions(file)), producer=self._producer
        )
        return self._input(file["key"], file["dataset"], statistics, dataQualityAssertions=tried)

    def _assertions(self, file: Mapping[str, Any]) -> Iterator[data_quality_assertions_dataset.Assertion]:
        """Yield each rule of the file's contract, and whatever else was broken, with how many records break it."""
        rules = {}
        if file["dataset"] in list(Dataset):
            contract = self.contracts[Dataset(file["dataset"])]
            rules = {rule.id: (rule.severity.value, rule.demand) for rule in contract.rules}
        for severity, broken in (("error", file["errors"]), ("warning", file["warnings"])):
            rules |= {rule: (severity, None) for rule in broken if rule not in rules}
        counted = {**file["errors"], **file["warnings"]}
        for rule, (severity, demand) in rules.items():
            column, _, kind = rule.partition("|")
            yield data_quality_assertions_dataset.Assertion(
                assertion=kind,
                success=rule not in counted,
                column=None if column in {"file", "record"} else column,
                severity="warn" if severity == "warning" else "error",
                name=rule,
                description=demand,
                expected="0 records",
                actual=f"{counted.get(rule, 0)} records",
            )

    def _tables(self, outcome: Mapping[str, Any]) -> Iterator[OutputDataset]:
        """Yield the lake's tables that got rows, with how many."""
        rows: Counter[str] = Counter()
        for file in outcome["files"]:
            if file["verdict"] == "accepted":
                made = file.get("datasets", {file["dataset"]: file})
                rows.update({dataset: each["records"]["accepted"] for dataset, each in made.items()})
        for dataset in (each for each in Dataset if rows[each]):
            yield self._output(layout.table(dataset), rows[dataset], outcome["commit"], self._schema(dataset))

    def _kpis(self, outcome: Mapping[str, Any]) -> Iterator[OutputDataset]:
        """Yield the KPI tables of which keys were published."""
        for table in self.kpi_tables:
            if published := outcome["published"].get(table.name):
                columns = {name: _KEY_TYPES.get(name, "VARCHAR") for name in table.key}
                columns |= {column.name: column.sql_type.upper() for column in table.columns}
                fields = [
                    schema_dataset.SchemaDatasetFacetFields(name=name, type=kind) for name, kind in columns.items()
                ]
                schema = schema_dataset.SchemaDatasetFacet(fields=fields, producer=self._producer)
                yield self._output(table.name, published, outcome["commit"], schema)

    def _output(self, key: str, rows: int, commit: int, schema: schema_dataset.SchemaDatasetFacet) -> OutputDataset:
        written = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=rows, producer=self._producer
        )
        version = dataset_version_dataset.DatasetVersionDatasetFacet(
            datasetVersion=str(commit), producer=self._producer
        )
        return OutputDataset(
            namespace=self.namespace,
            name=f"{self.prefix}{key}",
            facets={"schema": schema, "version": version},
            outputFacets={"outputStatistics": written},
        )

    def _schema(self, dataset: Dataset) -> schema_dataset.SchemaDatasetFacet:
        columns = self.contracts[dataset].columns
        fields = [
            schema_dataset.SchemaDatasetFacetFields(
                name=column.name, type=_COLUMN_TYPES[column.type], description=column.description or None
            )
            for column in columns
        ]
        return schema_dataset.SchemaDatasetFacet(fields=fields, producer=self._producer)
