#!/bin/sh
# Creates or upgrades both databases of the Temporal server. Safe to run again.
set -eu

upgrade() { # database, folder of its schema
  temporal-sql-tool --db "$1" create
  temporal-sql-tool --db "$1" setup-schema -v 0.0
  temporal-sql-tool --db "$1" update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

upgrade temporal temporal
upgrade temporal_visibility visibility
