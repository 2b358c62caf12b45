"""Words for people: what each state of an order, a payment or a parcel means to the one who waits for it."""

from dataclasses import dataclass

from runtime.facts import N_


@dataclass(frozen=True)
class Word:
    """`label` for a tag, `headline` and `text` for the order's page, `tone` for its colour, `step` reached."""

    label: str
    headline: str
    text: str
    step: int
    tone: str = ""


STEPS = (N_("Ordered"), N_("Identity checked"), N_("Paid"), N_("Prepared"), N_("On its way"), N_("Delivered"),
    N_("Active"))  # fmt: skip

# Who pays at the door signs where others pay.
SIGNED_STEP = N_("Contract signed")

_CHECKING = Word(
    N_("Checking identity"),
    N_("We are checking your identity"),
    N_(
        "Name and ID number are compared with the register. This takes a few seconds; the page goes on by itself."
    ),
    0,
)
_PREPARING = Word(
    N_("Being prepared"),
    N_("We are preparing your parcel"),
    N_("SIM card and papers are put together. You can follow it here."),
    2,
    "live",
)
TO_SIGN = Word(
    N_("To be signed"),
    N_("Almost yours: please sign"),
    N_(
        "Your identity is confirmed and the number is reserved for you. Sign the contract with the code we sent."
    ),
    1,
    "warn",
)
_BACK = Word(
    N_("Coming back"),
    N_("The parcel is coming back to us"),
    N_("When it has arrived, the order is undone and what you paid is refunded."),
    4,
    "warn",
)

WORDS = {
    "created": _CHECKING,
    "awaiting_kyc": _CHECKING,
    "awaiting_payment": Word(
        N_("To be paid"),
        N_("Almost yours: please pay"),
        N_("Your identity is confirmed and the number is reserved for you until the time below."),
        1,
        "warn",
    ),
    "paid": Word(
        N_("Paid"), N_("Paid. The number is yours"), N_("We are putting SIM card and papers together."), 2, "live"
    ),
    "cod_confirmed": Word(
        N_("Confirmed"),
        N_("Confirmed. You pay at the door"),
        N_("We are putting SIM card and papers together. Please have the amount ready for the courier."),
        1,
        "live",
    ),
    "allocated": _PREPARING,
    "account_opened": _PREPARING,
    "packed": Word(
        N_("Packed"), N_("Packed and waiting for the courier"), N_("The courier collects it with the next round."),
        3, "live",
    ),
    "shipped": Word(
        N_("On its way"),
        N_("Your parcel is on its way"),
        N_("Please have your ID card ready: the courier checks it at the door and asks for the code we text you."),
        4,
        "live",
    ),
    "delivered": Word(
        N_("Delivered"),
        N_("Delivered"),
        N_("The number becomes active as soon as the courier's ID check is recorded."),
        5,
        "live",
    ),
    "activated": Word(
        N_("Active"), N_("Your number is active"), N_("Put the SIM card in and call someone you like."), 6, "live"
    ),
    "completed": Word(N_("Completed"), N_("All done"), N_("Thank you. Enjoy your number."), 6, "live"),
    "kyc_failed": Word(
        N_("Identity not confirmed"),
        N_("We could not confirm your identity"),
        N_("Name and ID number do not match the register. Nothing was charged and the number has gone back."),
        0,
        "bad",
    ),
    "payment_expired": Word(
        N_("Not paid in time"),
        N_("The time to pay has passed"),
        N_("The number has gone back to the shelf. Money that still arrives is sent back in full."),
        1,
        "bad",
    ),
    "cancelled": Word(
        N_("Cancelled"), N_("This order is cancelled"), N_("The number has gone back. Anything paid was refunded."),
        0, "bad",
    ),
    "cancel_requested": Word(
        N_("Being cancelled"), N_("We are cancelling your order"), N_("This page goes on by itself."), 0, "warn"
    ),
    "reversing": Word(
        N_("Being undone"),
        N_("The order is being undone"),
        N_("The account is closed first, then your money goes back."),
        2,
        "warn",
    ),
    "refunding": Word(
        N_("Refund on its way"),
        N_("Your money is on its way back"),
        N_("It returns the way you paid. Banks can take some days to show it."),
        2,
        "warn",
    ),
    "refund_failed": Word(
        N_("Refund delayed"),
        N_("Your refund needs a hand"),
        N_("The bank did not take it at once. Our staff have been alerted and see to it."),
        2,
        "bad",
    ),
    "refused": _BACK,
    "returned": _BACK,
}  # fmt: skip

_UNKNOWN = Word(N_("In progress"), N_("Your order is in progress"), N_("You can follow it here."), 0)

PARCEL = {
    "created": N_("Parcel ready"),
    "manifested": N_("Handed to the courier's list"),
    "handed_over": N_("Collected by the courier"),
    "in_transit": N_("In transit"),
    "out_for_delivery": N_("Out for delivery"),
    "delivered": N_("Delivered, ID card checked"),
    "delivered_unverified": N_("Delivered, but the ID card was not checked"),
    "attempt_failed": N_("Nobody was there; the courier comes again"),
    "refused": N_("Refused at the door"),
    "returning": N_("On its way back"),
    "returned_to_warehouse": N_("Back in the warehouse"),
    "id_mismatch": N_("The ID card did not match the number holder"),
    "lost": N_("Lost"),
    "damaged": N_("Damaged"),
    "cancelled": N_("Parcel cancelled"),
}

FIRST_MONTHS = {
    "full": N_("Whole month"),
    "half": N_("Half a month"),
    "usage": N_("By usage"),
}
METHODS = {
    "card": N_("Bank card"),
    "alipay": N_("Alipay"),
    "wechat_pay": N_("WeChat Pay"),
    "cod": N_("Cash at the door"),
}

PATTERNS = {
    "A6+": N_("Six alike (AAAAAA)"),
    "AAAAA": N_("Five alike (AAAAA)"),
    "AAABBB": "AAABBB",
    "ABCABC": "ABCABC",
    "ABABAB": "ABABAB",
    "AABBCC": "AABBCC",
    "AAAA": N_("Four alike (AAAA)"),
    "ABCDEF": N_("Run of six (ABCDEF)"),
    "ABCDE": N_("Run of five (ABCDE)"),
    "ABCD": N_("Run of four (ABCD)"),
    "AABB": "AABB",
    "ABAB": "ABAB",
    "ABBA": "ABBA",
    "AAA": N_("Three alike (AAA)"),
    "AAAB": "AAAB",
    "ABC": N_("Run of three (ABC)"),
    "AA": N_("Pair at the end (AA)"),
}

# GB/T 2260 provinces by their first two digits.
PROVINCES_EN = {
    "11": "Beijing", "12": "Tianjin", "13": "Hebei", "14": "Shanxi", "15": "Inner Mongolia",
    "21": "Liaoning", "22": "Jilin", "23": "Heilongjiang", "31": "Shanghai", "32": "Jiangsu",
    "33": "Zhejiang", "34": "Anhui", "35": "Fujian", "36": "Jiangxi", "37": "Shandong",
    "41": "Henan", "42": "Hubei", "43": "Hunan", "44": "Guangdong", "45": "Guangxi",
    "46": "Hainan", "50": "Chongqing", "51": "Sichuan", "52": "Guizhou", "53": "Yunnan",
    "54": "Tibet", "61": "Shaanxi", "62": "Gansu", "63": "Qinghai", "64": "Ningxia",
    "65": "Xinjiang",
}  # fmt: skip


def of(state: str) -> Word:
    """A state nobody wrote words for still reads as an order in progress."""
    return WORDS.get(state, _UNKNOWN)
