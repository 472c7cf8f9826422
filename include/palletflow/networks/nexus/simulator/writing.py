"""How the wire writes what the network knows: consignments, events and attachments as JSON values (section 2)."""

import json
from typing import Any

from .consignment import Address, Consignment, Event, File
from .lookups import Ids
from .options import Options
from .times import stamp


class Writer:
    """Writes with the present ids and options."""

    def __init__(self, ids: Ids, options: Options) -> None:
        self._ids = ids
        self._options = options

    def row(self, one: Consignment) -> bytes:
        """The consignment's row of a list, made once and kept until it changes."""
        if one.row is None:
            one.row = to_json(self._served(one, self._summary(one)))
        return one.row

    def full(self, one: Consignment, *, routes: bool) -> Any:
        """What get shows."""
        written = self.known(one)
        if routes:
            written["routeDetails"] = _routes(one)
        return self._served(one, written)

    def known(self, one: Consignment) -> dict[str, Any]:
        """Everything about a consignment, before overrides and options change it."""
        pair = self._ids.pair
        return {
            **self._summary(one),
            "network": one.network,
            "consignmentType": pair("consignmentTypes", one.type),
            "manifestDate": one.manifest_day,
            "collectionService": pair("services", one.collection_service),
            "deliveryService": pair("services", one.delivery_service),
            "dueDate": one.due,
            **self._address("col", one.pickup),
            **self._address("del", one.receiver),
            "descriptionOfGoods": one.goods,
            "limitedQuantities": one.limited,
            "notes": one.notes,
            "pallets": [
                {
                    "palletID": pallet.pallet_id,
                    "barcode": pallet.barcode,
                    "palletType": pair("palletTypes", pallet.type),
                    "palletBase": pair("palletBases", pallet.base),
                    "length": pallet.length,
                    "width": pallet.width,
                    "height": pallet.height,
                    "weight": pallet.weight,
                    "doNotStack": pallet.do_not_stack,
                }
                for pallet in one.pallets
            ],
        }

    def created(self, one: Consignment) -> Any:
        """The reply to a create."""
        pallets = [{"palletID": pallet.pallet_id, "barcode": pallet.barcode} for pallet in one.pallets]
        named = {"consignmentID": one.consignment_id, "consignmentNumber": one.number}
        return self._served(one, {**named, "status": self._status(one.status, None), "pallets": pallets})

    def event(self, event: Event) -> Any:
        """A row of the history."""
        return self._shaped(
            {
                "id": event.event_id,
                "status": self._status(event.status, event.status_id),
                "dateTime": stamp(event.at, wall=self._options["datetimes"] == "wall"),
                "depotCode": event.depot,
                "barcode": event.barcode,
                "signatory": event.signatory,
                "notes": event.notes,
            }
        )

    def attachment(self, file: File, url: str) -> Any:
        """A row of the attachments."""
        wall = self._options["datetimes"] == "wall"
        return self._shaped(
            {
                "id": file.file_id,
                "attachmentType": self._ids.pair("consignmentAttachmentTypes", file.type),
                "fileName": file.name,
                "url": url,
                "createdDate": stamp(file.at, wall=wall).replace("+00:00", "Z"),
            }
        )

    def _summary(self, one: Consignment) -> dict[str, Any]:
        delivered = one.delivered_at
        wall = self._options["datetimes"] == "wall"
        return {
            "consignmentID": one.consignment_id,
            "consignmentNumber": one.number,
            "customerReference": one.reference,
            "status": self._status(one.status, one.status_event.status_id if one.status_event else None),
            "estimatedDelDate": one.estimated_day,
            "estimatedDelTime": one.estimated_time,
            "startWindow": one.start_window,
            "endWindow": one.end_window,
            "delAddressLine1": one.receiver.line1,
            "delAddressTown": one.receiver.town,
            "delAddressPostcode": one.receiver.postcode,
            "colDate": one.collection_day,
            "delDateTime": stamp(delivered, wall=wall) if delivered else None,
            "customerID": one.customer_id,
            "originatingDepotCode": one.originating,
            "collectingDepotCode": one.collecting,
            "deliveryDepotCode": one.delivery,
            "createdDate": one.day("created"),
        }

    def _status(self, name: str, shown_id: int | None) -> dict[str, Any]:
        pair = self._ids.pair("consignmentStatuses", name)
        return pair if shown_id is None else {**pair, "id": shown_id}

    def _address(self, prefix: str, address: Address) -> dict[str, Any]:
        return {
            f"{prefix}Address{name}": value
            for name, value in (
                ("Name", address.name),
                ("Line1", address.line1),
                ("Line2", address.line2),
                ("Town", address.town),
                ("Postcode", address.postcode),
                ("CountryID", self._ids.id_of("countries", address.country)),
                ("Contact", address.contact),
                ("Telephone", address.telephone),
                ("Email", address.email),
            )
        }

    def _served(self, one: Consignment, written: dict[str, Any]) -> Any:
        for path, value in one.overrides.items():
            _change(written, path, lambda place, name, value=value: place.update({name: value}))
        for path in one.absent:
            _change(written, path, lambda place, name: place.pop(name, None))
        return self._shaped(written)

    def _shaped(self, written: dict[str, Any]) -> dict[str, Any]:
        """With fields nulled, left out and renamed as the options want it."""
        for path in self._options["null_fields"]:
            _change(written, path, lambda place, name: place.update({name: None} if name in place else {}))
        for path in self._options["absent_fields"]:
            _change(written, path, lambda place, name: place.pop(name, None))
        for path, other in self._options["renamed_fields"].items():
            _change(
                written,
                path,
                lambda place, name, other=other: place.update({other: place.pop(name)} if name in place else {}),
            )
        return written


def without(value: Any, paths: list[str]) -> Any:
    """A JSON value with fields taken away; a path is names joined by dots and goes through lists."""
    for path in paths:
        _change(value, path, lambda place, name: place.pop(name, None))
    return value


def to_json(value: Any) -> bytes:
    """Compact UTF-8 JSON. Text that UTF-8 cannot hold is escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _change(value: Any, path: str, change: Any) -> None:
    """Call ``change`` with every object that holds the last name of ``path``, and that name."""
    if isinstance(value, list):
        for entry in value:
            _change(entry, path, change)
    elif isinstance(value, dict):
        name, _, rest = path.partition(".")
        if rest:
            _change(value.get(name), rest, change)
        else:
            change(value, name)


def _routes(one: Consignment) -> list[dict[str, Any]]:
    """One entry a leg that is known of."""
    legs = (
        ("Collection", one.collection_due, "collected" if one.collected else "planned"),
        ("Delivery", one.estimated_day or one.due, "completed" if one.delivered_at else "planned"),
    )
    return [
        {
            "type": leg,
            "routeDate": day,
            "regNo": f"SIM {one.consignment_id % 1000}",
            "round": f"R{one.consignment_id % 40 + 1}",
            "status": status,
            "palletCount": len(one.pallets),
        }
        for leg, day, status in legs
        if day
    ]
