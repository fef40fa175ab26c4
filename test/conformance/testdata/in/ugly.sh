if   [ -f x ]
then
	echo   "$a"|cat
fi
foo( ){ bar ; }
