// Package scripts judges webhook senders: it runs scripts, each a list of cases, against a sender and says for
// every sentence of its documented policy whether the sender keeps it.
//
//	script (txtar) -> Parse -> Lint -> Run: per case  Range.Lend -> Sender.Trigger -> watch -> judge -> result.Case
//
// The package imports neither the receiver nor its store: endpoints are lent by a Range, which has a port for each,
// and senders are started by a Sender.
//
// # The language
//
// A script is a txtar archive. Its comment holds the script, one command a line; its files can be named by endpoint
// (body=@FILE), payload, presign, cmp and schema. Words are separated by blanks. Text in 'single' or "double" quotes is
// one word, with the escapes \n \r \t \\ \" \'. A '#' begins a comment only where a word would begin. $NAME and ${NAME}
// stand for a variable, also within quotes, and $$ for a dollar. Unknown commands, words and key=value are errors.
//
// Before the first case may stand (without profile, a script has the name of its file):
//
//	profile NAME ['title'] [payload=FIXTURE] [scheme=SCHEME] [param=NAME] [spec=URL] [date=2006-01-02]
//	set NAME VALUE           a variable; a user may give another value
//
// A case goes on to the next one:
//
//	case ID 'title' [level=must|should|unstated] [spec=URL] [date=2006-01-02] [line=130-134]
//	                         must unless it says otherwise; line= points at lines of a source that is a file on a forge of code
//	quote 'sentence'         the sentence that the case is about, as its source has it
//	measured VERSION 'what it did' [date=]    where no document says it: what that version was seen to do
//	each NAME VALUE...       makes a case of each value; its id gets -VALUE
//	needs NEED...            direct, tls, h2, cap-net-raw, connection-faults, custom-headers, own-secret, objects, operations, or
//	                         var:NAME
//	payload FIXTURE          what the sender is given to send
//	header-set NAME VALUE    a header that the sender is told to send
//	set NAME VALUE           a variable for the lines below
//	set NAME ENDPOINT 'EXPRESSION'    what an expression makes of the evidence, as text: vars.NAME in the expressions below
//	presign NAME FILE [expires=1h]    puts a file into an object store, and its presigned URL in the place of {NAME} in a payload
//	                         that is a file of the script
//	endpoint NAME STEP... [tls] [h2] [scheme=] [param=] [secret=]     with the answers of the plan language,
//	                         which each delivery gets from the first one on (per=delivery may say so)
//	trigger NAME [times=N] [operation=OP] [input=JSON] [manual 'what to do']
//	                         makes the sender send; N times, one shortly after the other. An Agent Server is told which of its
//	                         operations to use (see Operations) and the graph's input; a case with operation= is
//	                         skipped for senders that have none; manual is for a person who makes the sender send
//	wait NAME [attempts=N] [quiet=6s] [timeout=60s]
//	replan NAME STEP...      other answers from now on
//	sleep DURATION
//	fetch NAME PATH [status=200] [json=yes] [sha256=]    asks for the URL that the payload has at PATH; '*' goes through arrays
//	                         (url-from=PATH says the same). In a case with one endpoint fetch and cmp need not name it
//	cmp NAME PATH FILE       the body of every attempt has at PATH what the JSON of the file says
//	expect NAME KIND ... [level=]     a check
//	require NAME KIND ... [level=]    a check that ends the case when it does not pass
//	note 'text'              goes into the report
//	skip 'why'               ends the case as one that does not apply
//	stop 'why'               ends the case with what was found so far
//
// wait ends when nothing has happened for the quiet time, which is never less than three times the last gap between
// two attempts or connections, and the sender has come back from its triggers. With attempts and without quiet it ends
// once so many have ended; with more than that it ends at once in any case. A count holds only for the time that was
// watched, so every check of a count names it.
//
// The kinds of checks:
//
//	attempts [==|!=|<=|>=|<|>] N      of each delivery
//	deliveries [==|...] N             of the endpoint
//	connections [==|...] N            that brought no request
//	spacing exponential [factor=2] [tolerance=30%] | growing | constant [tolerance=30%] | any
//	gap N [min=] [max=]               from the end of attempt N to the start of the next
//	hangup after=5s [attempt=1] [early=20%] [late=5%]    the median over the deliveries
//	answered [attempt=1] [limit=]     the sender waited for the answer
//	secret                            every attempt proved its sender
//	header NAME [VALUE|~REGEXP]       of every attempt
//	query NAME [VALUE]
//	method NAME
//	proto VERSION
//	schema NAME                       a JSON Schema that the body of every attempt meets
//	json PATH [VALUE]                 the body of every attempt has it
//	same-payload                      all attempts of a delivery have the same bytes
//	expr 'EXPRESSION'                 over attempts, deliveries, gaps, body and vars, in the expr language
//
// # Verdicts
//
// A check that does not hold is a fail at level must, a warning at should, and info at unstated. No delivery, or one
// without the right secret, makes the checks that need one inconclusive. So does a proxy or a tunnel in between, told by
// the header fields that it adds or by where the request came from, with hangup, answered, connections and proto, and with
// all of a case that needs direct. So does a machine that was later than a timing
// check tolerates: such a case is run again, at most Config.Again times.
package scripts
