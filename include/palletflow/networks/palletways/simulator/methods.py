"""The methods that the network offers, as table 2.0 lists them."""

from . import images, notes, reading, submitting
from .wire import Method, Methods

_BOTH, _API2, _PORTAL = "2P", "2", "P"

METHODS: Methods = {
    method.name.lower(): method
    for method in (
        Method("keytest", _BOTH, reading.keytest),
        Method("createConsignment", _API2, submitting.create_consignment),
        Method("getConsignment", _API2, reading.get_consignment),
        Method("conStatusByTrackingId", _BOTH, reading.con_status_by_tracking_id),
        Method("conStatusById", _BOTH, reading.con_status_by_id),
        Method("conStatusByConNo", _BOTH, reading.con_status_by_con_no),
        Method("conStatusByCustRef", _PORTAL, reading.con_status_by_cust_ref),
        Method("getDynConStatus", _PORTAL, reading.get_dyn_con_status),
        Method("getDynConStatusByConNo", _BOTH, reading.get_dyn_con_status_by_con_no),
        Method("getNotes", _API2, notes.get_notes),
        Method("createSystemNote", _API2, submitting.create_system_note),
        Method("podimages", _PORTAL, images.podimages("podimages")),
        Method("rpodimages", _PORTAL, images.podimages("rpodimages")),
        Method("getPodByTrackingId", _BOTH, images.get_pod_by_tracking_id),
        Method("getLabelsByTID", _BOTH, images.get_labels_by_tid),
        Method("getLabelsById", _BOTH, images.get_labels_by_id),
        Method("consEntered", _BOTH, reading.cons_entered),
        Method("manifestConsignment", _API2, submitting.manifest_consignment, customers_only=True),
        Method("deletePCConsignment", _API2, submitting.delete_consignment, customers_only=True),
    )
}
