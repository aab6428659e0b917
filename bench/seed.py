"""Fills a database with copies of the one conversation that is in it.

    seed.py DATABASE CONTACTS CONVERSATIONS ENTRIES

So many contacts, so many conversations of each, so many times two entries in each
conversation. The contacts are `user-0`, `user-1` and so on. Whatever columns there are
are copied; only what must differ is made anew.
"""

import sqlite3
import sys

path, contacts, conversations, entries = sys.argv[1], *map(int, sys.argv[2:])
database = sqlite3.connect(path)
SERIES = "WITH RECURSIVE {0}(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM {0} WHERE n + 1 < {1})"


def identifier(prefix, number):
    """A version 7 UUID that is told from all others by a number."""
    return f"'{prefix}_' || '01900000000070008000' || printf('%012x', {number})"


def copy(table, series, source, **anew):
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    values = [anew.get(column, f"it.{column}") for column in columns]
    joined = f"{series} INSERT INTO {table} SELECT {', '.join(values)} FROM {source}"
    return database.execute(joined).rowcount


series = SERIES.format("c", contacts)
conversation = f"(c.n * {conversations} + v.n)"
entry = f"({conversation} * {2 * entries} + e.n * 2 + it.number - 1)"

contact, talk = database.execute("SELECT owner, id FROM conversations").fetchone()
two = f"entries AS it WHERE it.conversation_id = '{talk}'"
nested = series + ", " + SERIES.format("v", conversations).removeprefix("WITH RECURSIVE ")
deep = nested + ", " + SERIES.format("e", entries).removeprefix("WITH RECURSIVE ")

copy("contacts", series, f"c, contacts AS it WHERE it.id = '{contact}'",
     id=identifier("cnt", "c.n"), subject="'user-' || c.n", last_event=str(2 * conversations * entries))
copy("conversations", nested, f"c, v, conversations AS it WHERE it.id = '{talk}'",
     id=identifier("cnv", conversation), owner=identifier("cnt", "c.n"),
     updated_at=f"it.updated_at - {conversation}", last_entry=str(2 * entries))
copy("entries", deep, f"c, v, e, {two}",
     id=identifier("msg", entry), conversation_id=identifier("cnv", conversation), number="e.n * 2 + it.number",
     client_id="CASE WHEN it.client_id IS NULL THEN NULL ELSE " + identifier("x", entry) + " END")
copy("events", deep, f"c, v, e, {two}".replace("entries AS it", "events JOIN entries AS it ON it.id = events.entry_id"),
     owner=identifier("cnt", "c.n"), number=f"(v.n * {entries} + e.n) * 2 + it.number", entry_id=identifier("msg", entry))
database.commit()
database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
