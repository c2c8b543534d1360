CREATE TABLE items (number serial PRIMARY KEY, body text, tidied boolean NOT NULL DEFAULT false);
