"""The contract as a PDF: the same facts give the same bytes, so its SHA-256 names it."""

import io
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table

from checkout.contract_paper import Paper, Signature
from checkout.prices import Quote, yuan
from runtime.clock import SHANGHAI

FONT = "NotoSansSC"
_FILE = Path(__file__).parent / "fonts" / "NotoSansSC.ttf"
BOX = "□"  # stands for a character the font lacks


def render(paper: Paper) -> bytes:
    """The PDF. Nothing in it depends on when, where or how often it is made."""
    _register()
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=18 * mm,
        bottomMargin=18 * mm,
        title=f"客户入网服务协议 {paper.order_id}",
        author="Haoka",
        invariant=1,  # no time and no random id in the file
    )
    document.build(_story(paper))
    return buffer.getvalue()


def missing(text: str) -> str:
    """The characters of a text that our font cannot draw."""
    drawn = _glyphs()
    return "".join(dict.fromkeys(char for char in text if ord(char) not in drawn))


@lru_cache(maxsize=1)
def _register() -> TTFont:
    font = TTFont(FONT, str(_FILE))
    pdfmetrics.registerFont(font)
    return font


def _glyphs() -> dict[int, int]:
    table: dict[int, int] = _register().face.charToGlyph
    return table


def _text(text: str, style: ParagraphStyle) -> Paragraph:
    drawn = _glyphs()
    return Paragraph(escape("".join(char if ord(char) in drawn else BOX for char in text)), style)


_BODY = ParagraphStyle("body", fontName=FONT, fontSize=9.5, leading=15, wordWrap="CJK")
_SMALL = ParagraphStyle("small", parent=_BODY, fontSize=8, leading=12)
_HEAD = ParagraphStyle("head", parent=_BODY, fontSize=11, leading=18, spaceBefore=8)
_TITLE = ParagraphStyle("title", parent=_BODY, fontSize=16, leading=24, alignment=1)


def _story(paper: Paper) -> list[Any]:
    price = paper.price
    story: list[Any] = [
        _text("客户入网服务协议（电子合同）", _TITLE),
        _text(f"合同编号：{paper.order_id}　　订立日期：{_day(paper.made_at)}", _SMALL),
        _text("一、客户与号码", _HEAD),
        _grid(
            [
                ("客户姓名", paper.name, "证件号码", paper.masked_id),
                ("入网号码", paper.number, "联系电话", paper.phone),
                ("套餐", paper.plan, "套餐内容", paper.allowances),
            ]
        ),
        _text("二、费用", _HEAD),
        _table(
            [("项目", "内容", "金额（元）", "收取方式")]
            + [(_LABELS[line.code], line.zh, yuan(line.amount_fen), _WHEN[line.when]) for line in price.lines]
            + [("应付合计", "", yuan(price.due_now_fen), "现在支付")],
            (38, 68, 32, 32),
        ),
    ]
    if paper.handset:
        story += [Spacer(1, 4), _text(_handset(paper), _BODY)]
    story += [_text("三、逐月明细", _HEAD), *_schedule(price), _text("四、约定事项", _HEAD)]
    story += [_text(f"{i}．{clause}", _BODY) for i, clause in enumerate(_clauses(paper), 1)]
    story += [Spacer(1, 10), *_signature(paper.signature)]
    return story


_LABELS = {
    "handset": "合约机款",
    "prestore": "合约预存话费",
    "topup": "首充话费",
    "number_prestore": "靓号预存话费",
    "gift": "赠品",
    "discount": "优惠",
    "credit": "赠送话费",
    "bundle": "加购",
    "first_month": "首月资费",
    "plan": "套餐月费",
    "credit_each_month": "每月赠送话费",
}
_WHEN = {"now": "现在支付", "first": "首月", "monthly": "每月"}


def _handset(paper: Paper) -> str:
    if paper.policy == "credit":
        return (
            f"合约机：{paper.handset}。购机送费，手机全款购买，合约期 {paper.price.term_months} 个月，"
            "赠送话费按月到账，不可提现。"
        )
    return (
        f"合约机：{paper.handset}。存费送机，产品包价格 {yuan(paper.price.package_fen)} 元，"
        f"合约期 {paper.price.term_months} 个月，预存话费按月返还，不能整除的余额随首月返还。"
    )


def _schedule(price: Quote) -> list[Any]:
    """One row for each run of equal months."""
    runs: list[list[Any]] = []
    for month in price.months:
        facts = (month.fee_fen, month.return_fen, month.due_fen)
        if runs and runs[-1][2] == facts:
            runs[-1][1] = month.month
        else:
            runs.append([month.month, month.month, facts])
    rows = [("月份", "套餐月费（元）", "返还话费（元）", "当月应付（元）")]
    for first, last, facts in runs:
        span = f"第 {first} 个月" if first == last else f"第 {first} 至 {last} 个月"
        fee, back, due = facts
        rows.append((span, yuan(fee), yuan(back), yuan(due)))
    table = _table(rows, (50, 40, 40, 40))
    if not price.term_months:
        return [table, _text("无合约期，之后每月按套餐月费收取。", _SMALL)]
    total = f"合约期内总支出 {yuan(price.total_fen)} 元（含现在支付的 {yuan(price.due_now_fen)} 元）。"
    left = f"期满账户结余 {yuan(price.credit_left_fen)} 元。" if price.credit_left_fen else ""
    return [table, _text(total + left, _SMALL)]


def _clauses(paper: Paper) -> list[str]:
    clauses = [
        "客户以本人真实有效的身份证件办理入网（实名制），证件信息经核验一致后本协议方可生效。",
        "快递员送达时当面核对证件并验证取件码，核对通过后号码激活，本协议自激活之日起生效，月费自激活之日起计收。",
        "未经核对证件签收的卡片不予激活；拒收或退回的，已开户的办理返销，已付款项原路退回。",
    ]
    if paper.price.term_months:
        clauses.append(
            f"本号码在 {paper.price.term_months} 个月内不办理销户、过户，月消费不低于所选套餐月费。"
            + _leaving(paper)
        )
    if paper.handset:
        clauses.append(
            "合约期内合约机须与本号码配合使用（机卡比对）；机卡分离的暂停服务，九十日内持证件、卡与手机补办手续可恢复。"
        )
    clauses.append("客户的身份信息加密保存，仅用于实名登记，服务终止后依法保存两年。")
    return clauses


def _leaving(paper: Paper) -> str:
    """What leaving early costs."""
    if paper.penalty_months:
        amount = yuan(paper.penalty_months * paper.price.fee_fen)
        return f"提前解约的，支付 {paper.penalty_months} 个月套餐月费（{amount} 元）作为违约金。"
    return "提前解约的，尚未返还的预存话费不再返还。"


def _signature(signature: Signature | None) -> list[Any]:
    if signature is None:
        return [_text("客户签署：（待签署）", _BODY)]
    at = signature.at.astimezone(SHANGHAI)
    return [
        _text("客户签署：已通过短信验证码电子签署", _BODY),
        _text(f"签署时间：{at:%Y-%m-%d %H:%M:%S}（北京时间）　　验证手机：{signature.phone}", _BODY),
        _text("未签署文本的 SHA-256：", _SMALL),
        _text(signature.draft_sha256, _SMALL),
    ]


def _day(at: datetime) -> str:
    day = at.astimezone(SHANGHAI)
    return f"{day.year} 年 {day.month} 月 {day.day} 日"


_LINES: list[tuple[object, ...]] = [
    ("GRID", (0, 0), (-1, -1), 0.4, colors.grey),
    ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
]


def _grid(rows: list[tuple[str, str, str, str]]) -> Table:
    cells = [[_text(cell, _BODY) for cell in row] for row in rows]
    return Table(cells, colWidths=[24 * mm, 61 * mm, 24 * mm, 61 * mm], style=_LINES)


def _table(rows: list[tuple[str, str, str, str]], widths: tuple[int, ...]) -> Table:
    head: list[tuple[object, ...]] = [("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke)]
    cells = [[_text(cell, _BODY) for cell in row] for row in rows]
    return Table(cells, colWidths=[width * mm for width in widths], style=_LINES + head, repeatRows=1)
