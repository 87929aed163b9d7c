-- Run by the image of Postgres at its first start.
CREATE ROLE outbox_relay LOGIN REPLICATION PASSWORD 'relay';
CREATE ROLE shop LOGIN PASSWORD 'shop';
