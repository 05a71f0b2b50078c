"""Summary and info: a size of which only the average matters, and facts about the program as labels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Info, Summary

VERSION = "1.0.0"


# region: summary-and-info
def response_sizes(registry: CollectorRegistry) -> Summary:
    """Sizes of answers by route: two series each, from which an average can be had, over all instances too."""
    return Summary("http_response_size_bytes", "Size of answers.", ["route"], registry=registry)


def show_version(registry: CollectorRegistry) -> None:
    """`shop_build_info{version="..."} 1`: to be joined to other metrics, or shown on a dashboard."""
    Info("shop_build", "What is running.", registry=registry).info({"version": VERSION})


# endregion: summary-and-info
