-- When adsum was last certainly running, also where nothing could be observed: how long it was down is told from here.
ALTER TABLE meta ADD COLUMN alive INTEGER;
