# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from platform_emulator.openapi import applications, devices, jobs, openapi_products, queries
from platform_emulator.openapi.call import Call

# An action returns the fields of its answer beside RequestId and Success; it raises Refused before it changes anything.
ACTIONS: Mapping[str, Callable[[Call], Mapping[str, object]]] = {
    "BatchCheckDeviceNames": applications.batch_check_device_names,
    "BatchGetDeviceState": queries.batch_get_device_state,
    "BatchQueryDeviceDetail": queries.batch_query_device_detail,
    "BatchRegisterDevice": applications.batch_register_device,
    "BatchRegisterDeviceWithApplyId": applications.batch_register_device_with_apply_id,
    "CreateProduct": openapi_products.create_product,
    "DeleteDevice": devices.delete_device,
    "DeleteProduct": openapi_products.delete_product,
    "DisableThing": devices.disable_thing,
    "EnableThing": devices.enable_thing,
    "GetDeviceStatus": queries.get_device_status,
    "GetThingTopo": queries.get_thing_topo,
    "QueryBatchRegisterDeviceStatus": applications.query_batch_register_device_status,
    "QueryDevice": queries.query_device,
    "QueryDeviceByStatus": queries.query_device_by_status,
    "QueryDeviceDetail": queries.query_device_detail,
    "QueryJob": jobs.query_job,
    "QueryPageByApplyId": applications.query_page_by_apply_id,
    "QueryProduct": openapi_products.query_product,
    "QueryProductList": openapi_products.query_product_list,
    "RegisterDevice": devices.register_device,
    "ResetThing": devices.reset_thing,
    "UpdateProduct": openapi_products.update_product,
}
