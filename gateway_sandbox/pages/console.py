"""The sandbox's own page."""

from gateway_sandbox.answers import Answer, of_page
from gateway_sandbox.faults import Faults
from gateway_sandbox.pages.layout import plain_page
from gateway_sandbox.paid.api import Paid
from gateway_sandbox.rows import Request
from gateway_sandbox.world import World


class Console:
    """GET shows, POST acts and shows again."""

    def __init__(self, world: World, faults: Faults, paid: Paid) -> None:
        self._world = world
        self._faults = faults
        self._paid = paid

    def answer(self, request: Request) -> Answer:
        """Return the page."""
        return of_page(200, plain_page("Gateway sandbox", "It listens."))
