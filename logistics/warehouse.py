"""The warehouse parcels leave from: the sender that couriers collect from and bring returns to."""

from sqlalchemy.orm import Session

from logistics.models import Warehouse

MAIN = "main"
_FIELDS = ("company", "name", "mobile", "province", "city", "district", "address")
_DEMO = {
    "company": "号卡 Haoka",
    "name": "发货组",
    "mobile": "4000000000",
    "province": "北京市",
    "city": "北京市",
    "district": "大兴区",
    "address": "示范仓库路1号",
}


def describe(session: Session, **fields: str) -> Warehouse:
    """Set the sender's fields (company, name, mobile, province, city, district, address); later manifests show it."""
    warehouse = session.get(Warehouse, MAIN)
    if warehouse is None:
        warehouse = Warehouse(code=MAIN, **_DEMO)
        session.add(warehouse)
    for name in _FIELDS:
        if name in fields:
            setattr(warehouse, name, fields[name])
    session.flush()
    return warehouse


def sender(session: Session) -> dict[str, str]:
    """The sender as manifests carry it; a made-up one until describe() was called."""
    warehouse = session.get(Warehouse, MAIN)
    return dict(_DEMO) if warehouse is None else {name: getattr(warehouse, name) for name in _FIELDS}
