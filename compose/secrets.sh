#!/bin/sh
# Makes the secrets that the compose files name, each once: what is there stays.
# Keep a copy of the folder elsewhere: without the master key nothing that was
# sealed can be read again.
set -eu
folder="${1:-$(dirname "$0")/secrets}"
# Others of this machine get no further than the folder; in it a container's own
# user must be able to read.
umask 022
mkdir -p "$folder"
chmod 0700 "$folder"
cd "$folder"

random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
plain() { head -c "$1" /dev/urandom | od -An -tx1 | tr -d ' \n'; }
once() {
    if [ ! -s "$1" ]; then
        cat > "$1.new"
        mv "$1.new" "$1"
        echo "made $folder/$1"
    fi
}

random 32 | once master_key
plain 24 | once postgres_password
printf 'postgres://atlashub:%s@postgres:5432/atlashub?sslmode=disable' "$(cat postgres_password)" |
    once database_url
plain 10 | once s3_access_key
plain 24 | once s3_secret_key
printf '{"identities":[{"name":"atlashub","credentials":[{"accessKey":"%s","secretKey":"%s"}],"actions":["Admin","Read","Write","List","Tagging"]}]}' \
    "$(cat s3_access_key)" "$(cat s3_secret_key)" | once s3_config.json
