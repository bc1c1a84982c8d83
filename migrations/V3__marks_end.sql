-- A mark's moment: it ends when the last of the observations that it stands for had arrived. Marks from before this say no
-- more than where it begins.
ALTER TABLE mark ADD COLUMN latest INTEGER NOT NULL DEFAULT 0;
