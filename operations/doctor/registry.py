"""All diagnoses, the ones that explain others first."""

from __future__ import annotations

from operations.doctor import alerting, programs, reach, samples, scraping, storage, views
from operations.doctor.findings import Diagnosis

DIAGNOSES: tuple[Diagnosis, ...] = (
    *programs.DIAGNOSES,
    *reach.DIAGNOSES,
    *storage.DIAGNOSES,
    *scraping.DIAGNOSES,
    *samples.DIAGNOSES,
    *alerting.DIAGNOSES,
    *views.DIAGNOSES,
)
