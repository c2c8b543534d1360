-- Version 2. What people call a project since `midair rename`; its name stays the key of everything else.

ALTER TABLE projects ADD COLUMN shown TEXT NOT NULL DEFAULT '';
