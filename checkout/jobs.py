"""The counter's jobs: importing this registers them with the outbox."""

from checkout import contracts, expiry, news, payments, preparing, refunds, reversing, webhooks
from runtime import outbox

prepare = outbox.handles("order.prepare", queue="dispatch")(preparing.prepare)
let_go = outbox.handles("order.let_go", queue="dispatch")(reversing.let_go)
reverse = outbox.handles("order.reverse", queue="money")(reversing.reverse)
expire = outbox.handles("order.expire", queue="money")(expiry.expire)
draft = outbox.handles("contract.draft", queue="papers")(contracts.draft)
seal = outbox.handles("contract.seal", queue="papers")(contracts.seal)
judged = outbox.handles("order.judged", queue="dispatch")(news.judged_again)
scanned = outbox.handles("order.scanned", queue="dispatch")(news.scanned_again)
ask = outbox.handles("payment.ask", queue="money")(payments.ask)
hear = outbox.handles("stripe.event", queue="money")(webhooks.handle)
repay = outbox.handles("refund.send", queue="money", on_death=refunds.give_up)(refunds.send)
