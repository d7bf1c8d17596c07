// Built-in functions that compute and nothing else. A list of what may be called, not of what may not: PostgreSQL has some
// three thousand functions, and every release new ones. Left out although they compute: what makes much of little (repeat,
// lpad, generate_series, factorial …), what runs a query that it gets as a text (query_to_xml, ts_stat, ts_rewrite), and what
// tells of the server (version, current_setting, inet_server_addr …).

export const SAFE_FUNCTIONS: ReadonlySet<string> = new Set(
  `
  lower upper initcap length char_length character_length octet_length bit_length trim btrim ltrim rtrim substring substr
  position strpos overlay left right reverse replace translate split_part concat concat_ws starts_with ascii chr md5 sha224
  sha256 sha384 sha512 encode decode quote_ident quote_literal quote_nullable format normalize is_normalized
  regexp_replace regexp_match regexp_matches regexp_count regexp_like regexp_substr regexp_instr regexp_split_to_array
  regexp_split_to_table similar_to_escape like_escape string_to_array string_to_table array_to_string to_hex
  to_char to_number to_date to_timestamp

  abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log10 power pow mod div gcd lcm min_scale scale trim_scale
  width_bucket pi degrees radians sin cos tan cot asin acos atan atan2 sinh cosh tanh asinh acosh atanh

  now transaction_timestamp statement_timestamp clock_timestamp date_trunc date_part date_bin extract age make_date make_time
  make_timestamp make_timestamptz make_interval justify_days justify_hours justify_interval isfinite timezone overlaps

  to_json to_jsonb row_to_json array_to_json json_build_object jsonb_build_object json_build_array jsonb_build_array json_object
  jsonb_object json_extract_path jsonb_extract_path json_extract_path_text jsonb_extract_path_text json_array_length
  jsonb_array_length json_typeof jsonb_typeof json_object_keys jsonb_object_keys json_each jsonb_each json_each_text
  jsonb_each_text json_array_elements jsonb_array_elements json_array_elements_text jsonb_array_elements_text jsonb_set jsonb_insert
  json_strip_nulls jsonb_strip_nulls jsonb_pretty jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array
  jsonb_path_query_first

  array_length array_position array_positions array_append array_prepend array_cat array_remove array_replace array_dims
  array_ndims array_upper array_lower cardinality unnest

  count sum avg min max bool_and bool_or every string_agg array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg stddev
  stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp regr_avgx regr_avgy regr_count regr_intercept regr_r2
  regr_slope regr_sxx regr_sxy regr_syy percentile_cont percentile_disc mode bit_and bit_or bit_xor any_value
  row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value

  num_nonnulls num_nulls isempty lower_inc upper_inc lower_inf upper_inf range_merge
  to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd ts_headline numnode querytree
  host hostmask masklen netmask network broadcast family abbrev inet_same_family inet_merge
  `
    .trim()
    .split(/\s+/),
);

/** Columns of those that give rows of several, where nobody renames them. */
export const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  json_each: ['key', 'value'],
  jsonb_each: ['key', 'value'],
  json_each_text: ['key', 'value'],
  jsonb_each_text: ['key', 'value'],
  json_array_elements: ['value'],
  jsonb_array_elements: ['value'],
  json_array_elements_text: ['value'],
  jsonb_array_elements_text: ['value'],
};
