"""Which part of the sandbox answers a request, and the faults around it."""

from gateway_sandbox.answers import Answer, of_page
from gateway_sandbox.fault_kinds import Fault, Passage
from gateway_sandbox.faults import Faults
from gateway_sandbox.notices import CERTIFICATE_PATH
from gateway_sandbox.pages.approval import Approvals
from gateway_sandbox.pages.console import Console
from gateway_sandbox.pages.layout import STYLE, plain_page
from gateway_sandbox.paid.api import PREFIX as PAID_PREFIX
from gateway_sandbox.paid.api import Paid
from gateway_sandbox.paypal.api import PayPal
from gateway_sandbox.rows import Notice, Request
from gateway_sandbox.world import World


class App:
    """Both companies and the sandbox's own pages."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults
        self.paypal = PayPal(world)
        self.paid = Paid(world)
        self._approvals = Approvals(world)
        self._console = Console(world, faults, self.paid)

    def answer(self, request: Request) -> Answer:
        """Return the answer. Raises HangUp where the connection is to end instead."""
        self.world.ledger.note(request)
        with self.paypal.key_in_use(request) as refused:
            if refused is not None:
                return refused
            return self._through_faults(request)

    def _through_faults(self, request: Request) -> Answer:
        world = self.world
        mark = world.ledger.count(Notice)

        def send_notices() -> None:
            made = frozenset(row.id for row in world.ledger.every(Notice)[mark:])
            world.notices.send_due(world.ledger, only=made)

        met = self.faults.meeting(request)
        passage = Passage(request, world.now(), world.closing, send_notices)
        answer = _refusal_of(met, passage) or self._work(request, passage)
        for fault in met:
            answer = fault.finish(passage, answer)
        return answer

    def _work(self, request: Request, passage: Passage) -> Answer:
        if request.path.startswith(CERTIFICATE_PATH):
            return self._certificate(request)
        if self.paypal.serves(request.path):
            return self.paypal.answer(request, mock=passage.mock)
        if request.path.startswith(PAID_PREFIX):
            return self.paid.answer(request, failing=passage.failing)
        if request.path.startswith("/approve/"):
            return self._approvals.answer(request)
        if request.path == "/" or request.path.startswith("/sandbox/"):
            return self._console.answer(request)
        if request.path == "/style.css":
            return Answer(200, STYLE.encode(), {"Content-Type": "text/css; charset=utf-8"})
        return of_page(404, plain_page("404", "There is nothing here."))

    def _certificate(self, request: Request) -> Answer:
        notices = self.world.notices
        if request.path != CERTIFICATE_PATH + notices.certificate_name:
            return Answer(404)
        kind = {"Content-Type": "application/x-pem-file"}
        return Answer(200, notices.certificate.chain_pem, kind)


def _refusal_of(met: list[Fault], passage: Passage) -> Answer | None:
    for fault in met:
        refused = fault.before(passage)
        if refused is not None:
            return refused
    return None
