-- A person's skills are few: those that the unique index on (person_id, name_folded) finds are sorted in no time, and no plan used this one.
DROP INDEX skill_person;
