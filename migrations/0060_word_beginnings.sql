-- The first letter and the first two of each word: what is typed first into a search begins so many words that the index
-- of whole words takes milliseconds to bring all of these together. Here it is one list.
-- Its cost is stated high for the reason that search_words has.
CREATE OR REPLACE FUNCTION word_beginnings(words tsvector) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED STRICT COST 1000 AS $$
BEGIN
    RETURN ARRAY(SELECT DISTINCT left(word, letters)
                 FROM unnest(tsvector_to_array(words)) AS word, generate_series(1, 2) AS letters);
END $$;
