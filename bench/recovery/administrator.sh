#!/usr/bin/env bash
# What a careful administrator's recovery script does today: restore everything beside the live side, load the dump into a new
# database, start the application on it, look whether it answers right, switch the proxy, look again from the users' side.
# Told by environment: RESTIC_REPOSITORY RESTIC_PASSWORD_FILE PGHOST PGPORT PGUSER PGPASSWORD TARGET DUMP RELEASE UPLOADS DATABASE APP_PORT
# DATABASE_URL NODE SWITCH SOCKET SHOP_URL
set -euo pipefail

restic restore latest --quiet --target "$TARGET"
createdb "$DATABASE"
pg_restore --jobs=2 --no-owner --exit-on-error --dbname="$DATABASE" "$TARGET$DUMP"

cd "$TARGET$RELEASE"
PORT=$APP_PORT DATABASE_URL=$DATABASE_URL UPLOADS=$TARGET$UPLOADS setsid "$NODE" server.js > "$TARGET/app.log" 2>&1 < /dev/null &
for _ in $(seq 400); do
  curl --silent --fail "http://127.0.0.1:$APP_PORT/alive" > /dev/null && break
  sleep 0.05
done
curl --silent --show-error --fail "http://127.0.0.1:$APP_PORT/products/1" | grep --quiet price

"$NODE" "$SWITCH" "$SOCKET" "$APP_PORT"
curl --silent --show-error --fail "$SHOP_URL/health" > /dev/null
