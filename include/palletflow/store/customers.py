"""Customers and their accounts with the networks, as the deployment file lists them."""

from collections.abc import Mapping, Sequence

from palletflow.store.connection import Connection


def sync(conn: Connection, customers: Mapping[str, str], accounts: Sequence[tuple[str, str, str]]) -> None:
    """Makes the store hold these customers (code to name) and exactly these accounts (network, account, code).

    A customer that left the file stays, as orders may be his; his accounts go. Equal rows are left alone.
    """
    with conn.transaction():
        conn.execute(
            "INSERT INTO customers AS held (code, name) SELECT * FROM unnest(%s::text[], %s::text[]) "
            "ON CONFLICT (code) DO UPDATE SET name = excluded.name WHERE held.name <> excluded.name",
            (list(customers), list(customers.values())),
        )
        columns = [[account[part] for account in accounts] for part in range(3)]
        conn.execute(
            "DELETE FROM customer_network_accounts WHERE (network, account) NOT IN "
            "(SELECT * FROM unnest(%s::text[], %s::text[]))",
            columns[:2],
        )
        conn.execute(
            "INSERT INTO customer_network_accounts AS held (network, account, customer_id) "
            "SELECT a.network, a.account, c.id "
            "FROM unnest(%s::text[], %s::text[], %s::text[]) a (network, account, code) "
            "JOIN customers c USING (code) ON CONFLICT (network, account) DO UPDATE "
            "SET customer_id = excluded.customer_id WHERE held.customer_id <> excluded.customer_id",
            columns,
        )
