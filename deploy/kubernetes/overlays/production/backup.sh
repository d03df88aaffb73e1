#!/bin/sh
# Copies the databases into a folder of BACKUP_DIR by pg_dump, makes sure that each copy can be read, and removes what is older than BACKUP_DAYS.
#
# Databases are copied one after another, so not as of one instant. The users database is the last: whoever wrote what the others hold is in it. What follows
# a commit in another database is an effect that is repeated until it is confirmed, so a copy from between the two is put right when the platform serves again.
# Nothing under its final name is incomplete. Restore: docs/deploy.md.
set -eu

name=$(date -u +%Y-%m-%dT%H-%M-%SZ)
unfinished=$BACKUP_DIR/$name.unfinished
# What a job that was killed left behind.
rm -rf "$BACKUP_DIR"/*.unfinished
mkdir -p "$unfinished"
for database in app_content app_shop app_media app_users; do
    PGSERVICE=$database pg_dump --format=custom --no-owner --no-privileges --file="$unfinished/$database.dump"
    # Reads the copy to its end.
    pg_restore --file=/dev/null "$unfinished/$database.dump"
done
mv "$unfinished" "$BACKUP_DIR/$name"
# Only after there is a new one.
find "$BACKUP_DIR" -mindepth 1 -maxdepth 1 -type d -mtime "+$BACKUP_DAYS" -exec rm -rf {} +
echo "$BACKUP_DIR/$name holds $(du -sk "$BACKUP_DIR/$name" | cut -f1) kB"
