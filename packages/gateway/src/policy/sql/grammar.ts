// What of PostgreSQL's tree may stand in a judged statement: kinds of nodes, and the members of each (pg_query.proto of
// libpg-query 18). What is not here is refused, so that nothing gets in by being forgotten: SELECT INTO (`intoClause`), FOR
// UPDATE (`lockingClause`), TABLESAMPLE, XML and JSON tables, column lists of functions, statements of every other kind.

/** node: wrapped in its kind. nodes: a list of those. plain: a word or number. `=Kind`: a node without a wrapper. */
export type Member = 'node' | 'nodes' | 'plain' | 'constant' | `=${string}`;

type Members = Readonly<Record<string, Member>>;

/** Splits `name:form` words, the form `node` left out. */
function of(words: string): Members {
  return Object.fromEntries(
    words
      .trim()
      .split(/\s+/)
      .map((word) => {
        const [name = '', form = 'node'] = word.split(':');
        return [name, (form === 's' ? 'nodes' : form === 'p' ? 'plain' : form) as Member];
      }),
  );
}

const place = 'location:p';

export const GRAMMAR: Readonly<Record<string, Members>> = {
  // Statements; which of them, the rule says.
  SelectStmt: of(`distinctClause:s targetList:s fromClause:s whereClause groupClause:s groupDistinct:p havingClause
    windowClause:s valuesLists:s sortClause:s limitOffset limitCount limitOption:p withClause:=WithClause op:p all:p
    larg:=SelectStmt rarg:=SelectStmt`),
  InsertStmt: of(`relation:=RangeVar cols:s selectStmt onConflictClause:=OnConflictClause
    returningClause:=ReturningClause withClause:=WithClause override:p`),
  UpdateStmt: of(`relation:=RangeVar targetList:s whereClause fromClause:s returningClause:=ReturningClause
    withClause:=WithClause`),
  DeleteStmt: of(
    `relation:=RangeVar usingClause:s whereClause returningClause:=ReturningClause withClause:=WithClause`,
  ),
  ExplainStmt: of('query options:s'),
  DefElem: of(`defname:p arg defaction:p ${place}`),
  // Their clauses.
  WithClause: of(`ctes:s recursive:p ${place}`),
  CommonTableExpr: of(`ctename:p aliascolnames:s ctematerialized:p ctequery ${place}`),
  OnConflictClause: of(`action:p infer:=InferClause targetList:s whereClause ${place}`),
  InferClause: of(`indexElems:s whereClause conname:p ${place}`),
  IndexElem: of('name:p expr ordering:p nulls_ordering:p'),
  ReturningClause: of('exprs:s'),
  ResTarget: of(`name:p indirection:s val ${place}`),
  MultiAssignRef: of('source colno:p ncolumns:p'),
  SetToDefault: of(place),
  SortBy: of(`node sortby_dir:p sortby_nulls:p ${place}`),
  GroupingSet: of(`kind:p content:s ${place}`),
  WindowDef: of(`name:p refname:p partitionClause:s orderClause:s frameOptions:p startOffset endOffset ${place}`),
  // Where rows come from.
  RangeVar: of(`schemaname:p relname:p inh:p relpersistence:p alias:=Alias ${place}`),
  RangeSubselect: of('lateral:p subquery alias:=Alias'),
  RangeFunction: of('lateral:p ordinality:p is_rowsfrom:p functions:s alias:=Alias'),
  JoinExpr: of(`jointype:p isNatural:p larg rarg usingClause:s join_using_alias:=Alias quals alias:=Alias rtindex:p`),
  Alias: of('aliasname:p colnames:s'),
  List: of('items:s'),
  // Expressions.
  ColumnRef: of(`fields:s ${place}`),
  ParamRef: of(`number:p ${place}`),
  A_Const: of(`ival:constant fval:constant boolval:constant sval:constant bsval:constant isnull:p ${place}`),
  A_Star: {},
  String: of('sval:p'),
  Integer: of('ival:p'),
  A_Expr: of(`kind:p name:s lexpr rexpr rexpr_list_start:p rexpr_list_end:p ${place}`),
  BoolExpr: of(`boolop:p args:s ${place}`),
  NullTest: of(`arg nulltesttype:p argisrow:p ${place}`),
  BooleanTest: of(`arg booltesttype:p ${place}`),
  CaseExpr: of(`arg args:s defresult ${place}`),
  CaseWhen: of(`expr result ${place}`),
  CoalesceExpr: of(`args:s ${place}`),
  MinMaxExpr: of(`op:p args:s ${place}`),
  SubLink: of(`subLinkType:p subLinkId:p testexpr operName:s subselect ${place}`),
  A_ArrayExpr: of(`elements:s list_start:p list_end:p ${place}`),
  A_Indirection: of('arg indirection:s'),
  A_Indices: of('is_slice:p lidx uidx'),
  RowExpr: of(`args:s row_format:p ${place}`),
  FuncCall: of(`funcname:s args:s agg_order:s agg_filter over:=WindowDef agg_within_group:p agg_star:p agg_distinct:p
    func_variadic:p funcformat:p ${place}`),
  NamedArgExpr: of(`arg name:p argnumber:p ${place}`),
  TypeCast: of(`arg typeName:=TypeName ${place}`),
  TypeName: of(`names:s typmods:s typemod:p arrayBounds:s ${place}`),
  CollateClause: of(`arg collname:s ${place}`),
  GroupingFunc: of(`args:s ${place}`),
  SQLValueFunction: of(`op:p typmod:p ${place}`),
};

export const STATEMENTS: Readonly<Record<string, string>> = {
  SelectStmt: 'select',
  InsertStmt: 'insert',
  UpdateStmt: 'update',
  DeleteStmt: 'delete',
  ExplainStmt: 'explain',
};

/** Operators are functions by another name; these are those of the built-in types that only compute. */
export const OPERATORS: ReadonlySet<string> = new Set(
  `= <> != < > <= >= + - * / % ^ || ~~ !~~ ~~* !~~* ~ ~* !~ !~* -> ->> #> #>> @> <@ ? ?| ?& && & | # << >> @@ @? #- |/ ||/ @
  BETWEEN NOT\u00a0BETWEEN BETWEEN\u00a0SYMMETRIC NOT\u00a0BETWEEN\u00a0SYMMETRIC`
    .split(/[ \n]+/)
    .map((word) => word.replaceAll('\u00a0', ' ')),
);

/** Types whose input does nothing but read a text. Not among them: `reg…`, which look names up, and XML. */
export const TYPES: ReadonlySet<string> = new Set(
  `bool int2 int4 int8 float4 float8 numeric text varchar bpchar char date time timetz timestamp timestamptz interval uuid json
  jsonb jsonpath bytea inet cidr macaddr macaddr8 bit varbit point tsvector tsquery int4range int8range numrange tsrange tstzrange
  daterange`.split(/\s+/),
);

/** Of CURRENT_…: the time. */
export const VALUE_FUNCTIONS = /^SVFOP_(?:CURRENT_(?:DATE|TIME|TIMESTAMP)|LOCALTIME|LOCALTIMESTAMP)(?:_N)?$/;

/** Of EXPLAIN: those that run nothing. */
export const EXPLAIN_OPTIONS: ReadonlySet<string> = new Set([
  'format',
  'costs',
  'verbose',
  'settings',
  'summary',
  'generic_plan',
]);
