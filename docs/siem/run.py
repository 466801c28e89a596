"""Runs the views and one query of this folder: python run.py ARCHIVE QUERY.sql. Prints a JSON object a row."""
import json
import pathlib
import sys

import duckdb

here = pathlib.Path(__file__).parent
db = duckdb.connect()
db.execute("SET TimeZone = 'UTC'")
db.execute("SET VARIABLE archive = ?", [sys.argv[1]])
db.execute((here / "views.sql").read_text())
rows = db.execute((here / sys.argv[2]).read_text())
names = [column[0] for column in rows.description]
for row in rows.fetchall():
    print(json.dumps(dict(zip(names, row)), default=str))
